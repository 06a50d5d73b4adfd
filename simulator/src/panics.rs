//! Panics of what is simulated: findings, told with all others and not printed where they happen.
//!
//! Many lives of a node with a bug end in one of its assertions. Printed, each with a backtrace where those are asked for,
//! they would take longer than the lives and bury what is said about them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread's panics are caught by [`catch`].
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs it to its end or to its panic, and then tells what the panic said and where. Other threads' panics, and those of
/// this one before and after, are dealt with as ever.
///
/// # Errors
/// What the panic said.
pub fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    let was_caught = IS_CAUGHT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    IS_CAUGHT.set(was_caught);
    result.map_err(|panic| match PLACE.take() {
        Some(place) => format!("{} ({place})", text_of(&*panic)),
        None => text_of(&*panic),
    })
}

/// Sees to it that panics which are caught are noted instead of printed.
fn listen() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_CAUGHT.get() {
                PLACE.set(info.location().map(|at| format!("{}:{}", at.file(), at.line())));
            } else {
                print(info);
            }
        }));
    });
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_said_and_where_is_told() {
        let said = catch(|| assert_eq!(1 + 1, 3, "of numbers")).unwrap_err();
        assert!(said.contains("of numbers") && said.contains("panics.rs:"), "{said}");
        assert_eq!(catch(|| 5), Ok(5));
    }

    #[test]
    fn a_panic_may_be_caught_within_what_is_caught() {
        let said =
            catch(|| catch(|| panic!("inner")).unwrap_or_else(|said: String| panic!("outer, after {said}")));
        assert!(said.unwrap_err().starts_with("outer, after inner ("));
    }

    #[test]
    fn a_panic_outside_is_not_hidden_by_one_that_was_caught_before() {
        drop(catch(|| panic!("caught")));
        assert!(!IS_CAUGHT.get() && PLACE.take().is_none());
    }
}
