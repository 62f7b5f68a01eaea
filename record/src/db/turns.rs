//! Turns of tenants.

use mongodb::bson::{Bson, Document, doc};

/// Conditions on a document's tenant, to be tried in this order: a tenant after `last` by name, then any. Both exclude `busy`.
///
/// With a sort by tenant, the first document that is found belongs to the tenant whose turn it is.
pub(super) fn turns(last: &str, busy: Vec<Bson>) -> [Document; 2] {
    let any = doc! { "$nin": busy };
    let mut next = any.clone();
    next.insert("$gt", last);
    [next, any]
}
