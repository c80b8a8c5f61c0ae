// Package clustertest runs all that a production installation consists of, on this machine and for tests: PostgreSQL, the four
// services of a Temporal cluster and replicas of Posthorn behind a load balancer, each a process of its own that can be
// killed, stopped and started again. Receivers and a load that keeps books of every promise are in the test's own process.
package clustertest
