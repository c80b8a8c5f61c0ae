// Package sqlite keeps Posthorn's data in one SQLite file; what it keeps, and how it asks for it, is in sqlstore.
//
// One goroutine owns the only connection that writes. It commits all writes that wait for it in one transaction, so
// that many concurrent calls share the price of one commit; nobody waits to let a group grow. Writes take effect, and
// become visible to reads, in the order of the calls. Reads go through a few connections of their own and neither wait
// for the writer nor hold it up.
//
// The schema and its conventions are described in migrations/.
package sqlite
