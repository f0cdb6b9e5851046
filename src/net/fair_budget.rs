//! A limited amount that callers share: none of them can use it up alone.
//!
//! While less than half is in use, everybody may take what they like. Beyond that, a claimant that already holds its
//! part is refused as [`BudgetFault::Greedy`], and what is left goes to the others.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Locks that claimants are spread over.
const SHARDS: usize = 16;

/// Why nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetFault {
    /// The claimant already holds its part, and more than half is in use.
    Greedy,
    /// Nothing is left.
    Exhausted,
}

/// A part of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A quarter.
    Quarter,
    /// Three quarters.
    ThreeQuarters,
    /// All of it.
    Whole,
}

/// Somebody who takes from a budget, and how much of it they may hold once more than half is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    id: u64,
    most: u64,
}

/// A limited amount.
#[derive(Debug)]
pub struct FairBudget {
    limit: u64,
    used: AtomicU64,
    held: [Mutex<HashMap<u64, u64>>; SHARDS],
    hasher: RandomState,
}

impl FairBudget {
    /// A budget of this amount, in whatever unit.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
            held: Default::default(),
            hasher: RandomState::new(),
        })
    }

    /// A claimant that may hold this part once more than half is in use.
    pub fn claimant(&self, who: impl Hash, part: Part) -> Claimant {
        let quarter = (self.limit / 4).max(1);
        Claimant {
            id: self.hasher.hash_one(who),
            most: match part {
                Part::Quarter => quarter,
                Part::ThreeQuarters => self.limit.saturating_sub(quarter).max(1),
                Part::Whole => self.limit,
            },
        }
    }

    /// The amount in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes an amount on behalf of every one of these claimants.
    ///
    /// # Errors
    /// [`BudgetFault`]; then nothing is taken.
    pub fn take<const N: usize>(
        self: &Arc<Self>,
        claimants: [Claimant; N],
        amount: u64,
    ) -> Result<BudgetShare<N>, BudgetFault> {
        let mut share = BudgetShare {
            budget: Arc::clone(self),
            claimants,
            amount: 0,
        };
        share.grow(amount)?;
        Ok(share)
    }

    fn reserve(&self, claimants: &[Claimant], amount: u64) -> Result<(), BudgetFault> {
        let used = self.used.fetch_add(amount, Ordering::Relaxed) + amount;
        let is_scarce = used > self.limit / 2;
        let mut is_greedy = false;
        for claimant in claimants {
            is_greedy |= self.add(claimant.id, amount) > claimant.most && is_scarce;
        }
        let fault = match is_greedy {
            true => BudgetFault::Greedy,
            false if used > self.limit => BudgetFault::Exhausted,
            false => return Ok(()),
        };
        self.release(claimants, amount);
        Err(fault)
    }

    fn release(&self, claimants: &[Claimant], amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
        for claimant in claimants {
            let mut held = self.shard(claimant.id);
            if let Some(one) = held.get_mut(&claimant.id) {
                *one = one.saturating_sub(amount);
                if *one == 0 {
                    held.remove(&claimant.id);
                }
            }
        }
    }

    fn add(&self, id: u64, amount: u64) -> u64 {
        let mut held = self.shard(id);
        let one = held.entry(id).or_default();
        *one = one.saturating_add(amount);
        *one
    }

    fn shard(&self, id: u64) -> std::sync::MutexGuard<'_, HashMap<u64, u64>> {
        let [first, ..] = &self.held;
        let place = usize::try_from(id % (SHARDS as u64)).unwrap_or_default();
        let shard = self.held.get(place).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken; it is given back when this is dropped.
#[derive(Debug)]
pub struct BudgetShare<const N: usize> {
    budget: Arc<FairBudget>,
    claimants: [Claimant; N],
    amount: u64,
}

impl<const N: usize> BudgetShare<N> {
    /// Takes more.
    ///
    /// # Errors
    /// [`BudgetFault`]; what was taken before is kept.
    pub fn grow(&mut self, amount: u64) -> Result<(), BudgetFault> {
        self.budget.reserve(&self.claimants, amount)?;
        self.amount += amount;
        Ok(())
    }

    /// Gives back what is held beyond an amount.
    pub fn shrink_to(&mut self, amount: u64) {
        let more = self.amount.saturating_sub(amount);
        self.budget.release(&self.claimants, more);
        self.amount -= more;
    }
}

impl<const N: usize> Drop for BudgetShare<N> {
    fn drop(&mut self) {
        self.budget.release(&self.claimants, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_claimant_gets_its_part_once_half_is_used_and_the_others_are_served() {
        let budget = FairBudget::new(100);
        let greedy = budget.claimant("greedy", Part::Quarter);
        let shares: Vec<_> = (0..200)
            .filter_map(|_| budget.take([greedy], 1).ok())
            .collect();
        assert_eq!(shares.len(), 50);
        assert!(matches!(budget.take([greedy], 1), Err(BudgetFault::Greedy)));
        let others: Vec<_> = (0..60)
            .filter_map(|n| budget.take([budget.claimant(n, Part::Quarter)], 1).ok())
            .collect();
        assert_eq!((others.len(), budget.used()), (50, 100));
        let late = budget.claimant("late", Part::Quarter);
        assert!(matches!(
            budget.take([late], 1),
            Err(BudgetFault::Exhausted)
        ));
        drop(shares);
        assert!(budget.take([late], 1).is_ok());
    }

    #[test]
    fn what_is_refused_takes_nothing_from_any_claimant() {
        let budget = FairBudget::new(8);
        let key = |n: u64| budget.claimant(("key", n), Part::Quarter);
        let account = budget.claimant("account", Part::ThreeQuarters);
        let first = budget.take([key(1), account], 4).unwrap();
        let second = budget.take([key(2), account], 2).unwrap();
        for _ in 0..100 {
            assert!(matches!(
                budget.take([key(3), account], 1),
                Err(BudgetFault::Greedy)
            ));
        }
        assert_eq!(budget.used(), 6);
        let other = budget.claimant("other account", Part::ThreeQuarters);
        let third = budget.take([key(3), other], 2).unwrap();
        drop((first, second, third));
        assert_eq!(budget.used(), 0);
        assert!(
            budget
                .held
                .iter()
                .all(|held| held.lock().unwrap().is_empty())
        );
    }
}
