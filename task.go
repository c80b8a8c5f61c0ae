package posthorn

import (
	"encoding/json"
	"time"
)

// TaskKind says what a background task does. The names are those that Svix clients know.
type TaskKind string

// The kinds. What a task of each kind is given stands in task_input.go, what it tells in task_data.go.
const (
	RecoverEndpoint     TaskKind = "endpoint.recover"          // send again what an endpoint did not take
	ReplayMissing       TaskKind = "endpoint.replay"           // send what an endpoint wants now and never got
	BulkReplay          TaskKind = "endpoint.bulk-replay"      // send again what a filter lets through
	BroadcastMessage    TaskKind = "message.broadcast"         // send one event to every application
	PurgeContent        TaskKind = "application.purge_content" // remove the payloads of an application's messages
	ApplicationStats    TaskKind = "application.stats"         // count deliveries by application
	AggregateEventTypes TaskKind = "event-type.aggregate"      // tell which applications subscribe to what
	ExportCatalogue     TaskKind = "sdk.generate"              // write the event catalogue as an OpenAPI document
)

// TaskState says where a background task stands.
type TaskState string

// The states. A task that has left TaskRunning never changes again.
const (
	TaskRunning  TaskState = "running"
	TaskFinished TaskState = "finished"
	TaskFailed   TaskState = "failed" // Reason says why; what it has done until then stays done
)

// Task is work that a request began and does not wait for. It is done in small steps. Each ends with the place from
// which the next one goes on, so that a task which is interrupted neither begins again nor leaves anything out.
type Task struct {
	ID        string
	OrgID     string
	AppID     string // the application that it is about; empty if it is about the whole organisation
	Kind      TaskKind
	State     TaskState
	Reason    string          // why it failed, for people
	Input     json.RawMessage // what to do, by the kind; erased when the task ends
	Cursor    json.RawMessage // where the next step begins, by the kind; nil before the first has ended
	Data      json.RawMessage // what came of it so far, for the caller; nil before the first step has ended
	CreatedAt time.Time
	UpdatedAt time.Time
}
