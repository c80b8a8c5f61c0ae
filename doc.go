// Package posthorn is the vocabulary of Posthorn, a durable webhook delivery platform. It does no I/O: what it names is
// stored by internal/store, decided by workflows, sent by activities and shown by api.
//
// A platform team posts a [Message], one event addressed to one [Application] (a customer of theirs). Posthorn signs
// it and sends it to every [Endpoint] of the application that subscribes to its event type: one [Delivery] each. A
// delivery takes one [Attempt] or several: the [Schedule] says how long to wait between them. The message is a Temporal
// workflow with the message's ID, so nothing that was accepted is forgotten, whatever crashes.
package posthorn
