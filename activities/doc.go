// Package activities does what workflows decide: it signs messages, sends them and records what happened. It is the
// only package that sends.
//
// A message is sent in two lanes. The fast lane ([Activities.SendToAll]) is one local activity for the whole fan-out:
// it posts to every endpoint at once and waits a short time. What it leaves open, the durable lane carries on
// ([Activities.SendToEndpoint]): one activity per endpoint, whose retries Temporal keeps. A request of the fast lane
// that is still in flight then is not cut off: the durable lane waits for its end.
//
// Background tasks ([Activities.RunTask]) go on in small steps; a repeated step finds what it has done. The rest keeps
// house: it starts what a crash left behind, and removes what has expired.
//
// The database's record of attempts decides what is still to be sent, never the count that Temporal keeps: so a run
// that is repeated after a crash sends nothing again that is recorded.
package activities
