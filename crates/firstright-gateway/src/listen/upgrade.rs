//! How does a connection stop speaking HTTP? Its handler leaves here what is to be done with it, and answers 101.
//!
//! What it leaves runs in the connection's own task: caps, drain and cut count for a socket as for every connection.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::UPGRADE;
use send_wrapper::SendWrapper;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection that no longer speaks HTTP, with the bytes that came behind the request's head.
pub struct Upgraded {
    /// The bytes to come, and the way back.
    pub io: Box<dyn Io>,
    /// Bytes that were read already.
    pub ahead: Bytes,
}

/// Bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// What is to be done with the connection.
type Then = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()>>>>;

/// The place where a handler leaves it: an extension of each request that asks for another protocol. It never leaves its
/// thread, which is what the wrapper sees to: extensions have to be sendable.
#[derive(Clone, Default)]
pub struct Upgrade {
    then: Option<SendWrapper<Rc<RefCell<Option<Then>>>>>,
}

impl Upgrade {
    pub(super) fn new() -> Self {
        Self { then: Some(SendWrapper::new(Rc::default())) }
    }

    /// Gives the request a way to take the connection over, if it asks for one.
    pub(super) fn offer(&self, request: &mut Request<Incoming>) {
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(self.clone());
        }
    }

    /// What the handler left.
    pub(super) fn take(&self) -> Option<Then> {
        self.then.as_ref()?.borrow_mut().take()
    }

    /// Leaves what is to be done once 101 has gone out. The handler must answer with it.
    pub fn leave<F: Future<Output = ()> + 'static>(&self, then: impl FnOnce(Upgraded) -> F + 'static) {
        if let Some(place) = &self.then {
            *place.borrow_mut() = Some(Box::new(move |upgraded| Box::pin(then(upgraded))));
        }
    }
}
