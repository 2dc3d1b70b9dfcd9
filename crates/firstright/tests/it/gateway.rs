//! Does a real gateway in front of real sandbox clouds do what the law says, whatever the clouds do?

mod credentials;
mod passing;
mod rights;
mod faults;
mod leaving;
mod keeping;
mod hedging;
mod kept;
mod load;
mod garbage;
mod hostile;
mod storms;
mod overload;
mod pressure;
mod slow;
mod sockets;
mod languages;
mod money;
