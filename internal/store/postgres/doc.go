// Package postgres keeps Posthorn's data in a PostgreSQL database, which several processes may share; what it keeps, and
// how it asks for it, is in sqlstore.
//
// Writes that wait at the same time are done in one transaction, side by side: each runs until it asks the database for
// something, and what all of them ask is sent in one round trip. A few connections do so at the same time. What keeps
// writes from disturbing each other, in one transaction as in several processes, are locks that are taken at the beginning
// of a transaction, in one order; see the file lock.go of sqlstore.
//
// The schema and its conventions are described in migrations/.
package postgres
