//! How many calls may be under way, apart for each of their stages: a body that does not arrive, a database that stalls and
//! an upstream that hangs hold up nothing but themselves, and no caller takes the room of the others.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use akgate_net::{
    fair_budget::{BudgetFault, BudgetShare, FairBudget, Part},
    metrics::Metrics,
    peer::source_network,
};
use akgate_rules::{fault::Fault, operation::Product};

use super::{body::refused_by_budget, lookup::Caller, routes::Routes};

/// The limits of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls that are being verified and judged.
    pub judged: u64,
    /// Calls at one upstream.
    pub per_upstream: u64,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            judged: 4096,
            per_upstream: 1024,
        }
    }
}

/// Where a call that is under way is counted.
#[derive(Debug, Default)]
pub enum CallShare {
    /// Nowhere: it is being received.
    #[default]
    None,
    /// Among the calls that are judged.
    Judged(BudgetShare<1>),
    /// Among those of its upstream.
    Upstream(BudgetShare<2>),
}

/// The budgets of a gate.
pub struct CallBudgets {
    /// Bytes of requests that nobody has proven yet, of all listeners.
    pub memory: Arc<FairBudget>,
    judged: Arc<FairBudget>,
    upstreams: HashMap<Product, Arc<FairBudget>>,
    metrics: Arc<Metrics>,
}

impl CallBudgets {
    /// The budgets of a gate with these routes.
    #[must_use]
    pub fn new(
        limits: CallLimits,
        routes: &Routes,
        memory: Arc<FairBudget>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let upstreams = routes.products();
        Self {
            memory,
            judged: FairBudget::new(limits.judged),
            upstreams: upstreams
                .map(|product| (product.clone(), FairBudget::new(limits.per_upstream)))
                .collect(),
            metrics,
        }
    }

    /// Counts a call as judged.
    ///
    /// # Errors
    /// [`Fault::Throttled`] where its source has more than its part; [`Fault::Unavailable`] where there are too many.
    pub fn take_judged(&self, source: IpAddr) -> Result<CallShare, Fault> {
        let claimant = self.judged.claimant(source_network(source), Part::Quarter);
        let taken = self.judged.take([claimant], 1);
        taken
            .map(CallShare::Judged)
            .map_err(|fault| self.refuse("judged", fault))
    }

    /// Counts a call as one of its upstream's; one without an access key is its source's.
    ///
    /// # Errors
    /// [`Fault::Throttled`] where its access key or its account has more than its part; [`Fault::Unavailable`] where there
    /// are too many.
    pub fn take_upstream(
        &self,
        product: &Product,
        caller: Option<&Caller>,
        source: IpAddr,
    ) -> Result<CallShare, Fault> {
        let Some(calls) = self.upstreams.get(product) else {
            return Err(Fault::Internal("a product without a budget"));
        };
        let claimants = match caller {
            Some(caller) => [
                calls.claimant(("access key", caller.root()), Part::Quarter),
                calls.claimant(("account", &caller.account_id), Part::ThreeQuarters),
            ],
            None => {
                let source = source_network(source);
                [
                    calls.claimant(("source", source), Part::Quarter),
                    calls.claimant("without an access key", Part::ThreeQuarters),
                ]
            }
        };
        let taken = calls.take(claimants, 1);
        taken
            .map(CallShare::Upstream)
            .map_err(|fault| self.refuse("upstream", fault))
    }

    fn refuse(&self, budget: &'static str, fault: BudgetFault) -> Fault {
        self.metrics.turned_away(budget, fault);
        refused_by_budget(fault)
    }
}
