// Package sqlstore keeps Posthorn's data in an SQL database. It has all that databases have in common: every query is
// written once, over a small [Database], which each of them implements in a package of its own.
//
// The functions given to the Update methods run within a transaction. They must not write through the store, which would
// wait for itself, and they may be called again, on the item as it is then, if the first transaction is lost.
package sqlstore
