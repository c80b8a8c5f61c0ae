// Package workflows decides what happens next with a message, and nothing else: it is deterministic code that Temporal
// replays. What there is to send, and the sending, is package activities' part.
//
// A workflow lives for days. A change to one must keep replaying the histories in testdata, which were recorded from
// the versions before it; use workflow.GetVersion where the order of commands changes.
package workflows
