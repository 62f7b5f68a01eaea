//! HTTP, names and codes as the standards have them, and as clients and proxies use them.

mod conditions;
mod downloads;
mod languages;
mod part_headers;
mod pauses;
mod prefix;
mod refusals;
mod searches;
