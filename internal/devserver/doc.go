// Package devserver runs a Temporal server and the Temporal Web UI inside this process, on SQLite files in one folder.
//
// It is what `posthorn dev` stands on: one binary, no other service, and yet the engine is the real one, with durable
// timers, batch operations, schedules and the Web UI, and everything survives a restart. It is tuned for one small
// machine; the reason for each setting stands beside it in dynamicconfig.go, database.go and visibility_index.go.
//
// A folder holds three files:
//
//	temporal.db    workflows, histories, timers, task queues: what must never be lost
//	visibility.db  the list of workflows as the Web UI and search see it: may be lost, see [Options]
//	server.state   lock against a second server on the same folder, and how the last one ended
//
// Callers connect with the Temporal SDK. The SDK compresses with gzip by default, which costs more than it saves
// inside one machine, so dial with
//
//	client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}}
package devserver
