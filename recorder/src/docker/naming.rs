//! Names of a cluster's containers.

use std::fmt;

use crate::error::{Error, Result};

/// The most members a cluster has.
pub const MEMBERS_MAX: u8 = 7;
/// The fewest members a cluster has.
pub const MEMBERS_MIN: u8 = 3;

/// How the members' containers are named: a prefix and consecutive numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    prefix: String,
    first: u8,
}

impl Default for Naming {
    fn default() -> Self {
        Self::etcd()
    }
}

impl Naming {
    /// `etcd0`, `etcd1`, ...
    pub fn etcd() -> Self {
        Self { prefix: "etcd".into(), first: 0 }
    }

    /// `etcd-node1`, `etcd-node2`, ..., as the consensus scripts name their test cluster.
    pub fn etcd_node() -> Self {
        Self { prefix: "etcd-node".into(), first: 1 }
    }

    /// Names of another prefix, numbered from `first`.
    ///
    /// # Errors
    /// [`Error::Usage`] when an engine would refuse such a name.
    pub fn new(prefix: &str, first: u8) -> Result<Self> {
        let fits = |(index, letter): (usize, char)| {
            letter.is_ascii_alphanumeric() || (index > 0 && matches!(letter, '-' | '_' | '.'))
        };
        // A number at the end would run into the member's own.
        let ends_well = prefix.ends_with(|letter: char| !letter.is_ascii_digit());
        if !ends_well || prefix.len() > 40 || !prefix.chars().enumerate().all(fits) || first > 1 {
            return Err(Error::usage(format!(
                "{prefix:?}: cannot begin the names of containers; take up to 40 letters, digits, '-', '_' and '.', of which \
                 the first is a letter or digit and the last is not a digit, and number from 0 or 1"
            )));
        }
        Ok(Self { prefix: prefix.to_owned(), first })
    }

    /// The name of a member by index, counted from 0 whatever the first number is.
    pub fn member(&self, index: u8) -> String {
        format!("{}{}", self.prefix, self.first + index)
    }

    /// The index of the member whose container has this name.
    pub fn index_of(&self, name: &str) -> Option<u8> {
        (0..MEMBERS_MAX).find(|index| self.member(*index) == name)
    }

    /// One name for the whole cluster: that of its first member.
    pub fn cluster(&self) -> String {
        self.member(0)
    }

    /// Names of the first `count` members, for a message.
    pub fn members(&self, count: u8) -> String {
        (0..count).map(|index| self.member(index)).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}, ...", self.member(0), self.member(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_their_exact_names() {
        let names = Naming::etcd();
        assert_eq!(names.index_of("etcd2"), Some(2));
        for other in ["etcd", "etcd02", "etcd7", "etcd-node1", "my-etcd0", "etcd0-data"] {
            assert_eq!(names.index_of(other), None, "{other}");
        }
        assert_eq!(Naming::etcd_node().index_of("etcd-node1"), Some(0));
        assert_eq!(Naming::etcd_node().index_of("etcd-node0"), None);
    }

    #[test]
    fn names_that_an_engine_refuses_are_refused() {
        for bad in ["", "-etcd", "etcd/", "étcd", "etcd1", &"e".repeat(41)] {
            assert!(matches!(Naming::new(bad, 0), Err(Error::Usage(_))), "{bad:?}");
        }
        assert_eq!(Naming::new("my.etcd-", 1).unwrap().members(3), "my.etcd-1, my.etcd-2, my.etcd-3");
    }
}
