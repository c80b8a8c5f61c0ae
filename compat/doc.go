// Package compat holds the proof that the SDKs which people already have work against Posthorn: the ones for JavaScript,
// Python and Go are run, unchanged, against the built program.
//
//	node/ python/ go/   a suite for each current SDK, with its methods.json: which method is which operation
//	*_test.go           starts the program, runs the suites, and checks what they called
//
// Every method of an SDK is either exercised or out of scope with a reason, and every operation in scope is called by an
// SDK and answered with success; what no SDK has a method for is called without one.
package compat
