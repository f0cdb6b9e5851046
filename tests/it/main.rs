//! The one integration binary: a file per road, on a real PostgreSQL that the tests start themselves.

mod architecture;
mod byte_positions;
mod captures;
mod faults;
mod vectors;
mod verify;
