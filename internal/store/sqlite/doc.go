// Package sqlite keeps Posthorn's data in one SQLite file.
//
// One goroutine owns the only connection that writes. It commits all writes that wait for it in one transaction, so
// that many concurrent calls share the price of one commit; nobody waits to let a group grow. Writes take effect, and
// become visible to reads, in the order of the calls. Reads go through a few connections of their own and neither wait
// for the writer nor hold it up.
//
// The functions given to the Update methods run on the writer's goroutine. They must not write through the store, which
// would wait for itself, and they may be called again, on the item as it is then, if the first transaction is lost.
//
// The schema and its conventions are described in migrations/.
package sqlite
