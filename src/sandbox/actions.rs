//! What carries out an action. Each action's future is made in a frame of its own and boxed: all of them in one would
//! overflow the stack of a thread.

use std::{future::Future, pin::Pin};

use super::{answer::ResponseBody, asked::SandboxRequest, refused::SandboxFault, sandbox::Sandbox};

/// An action under way.
pub type ActionFuture<'a> =
    Pin<Box<dyn Future<Output = Result<ResponseBody, SandboxFault>> + Send + 'a>>;

/// Starts an action.
pub type Action = for<'a> fn(&'a Sandbox, &'a SandboxRequest) -> ActionFuture<'a>;
