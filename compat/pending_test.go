package compat

// pending are operations in scope, and features of them, that this version doesn't serve yet. The suites skip what needs
// them. An operation that is served must not be on the list, and the list has to be empty in a release.
var pending []string
