// Package worker builds the Temporal worker that runs Posthorn's workflows and activities.
package worker

import (
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// Limits of one process. A request in flight costs a goroutine and some kilobytes, so they are generous.
const (
	// maxWorkflowTasks is how many messages can be in the fast lane at once: each holds a workflow task.
	maxWorkflowTasks = 2000
	// maxActivities is how many attempts the durable lane can have in flight.
	maxActivities = 4000
	// maxEagerActivities of one workflow start in the process that ran its fast lane, without a way through the task
	// queue. The rest of a very large fan-out goes through it and may be sent by another process.
	maxEagerActivities = 100
)

// Options are what one worker is told.
type Options struct {
	// StopTimeout is how long Stop lets activities end.
	StopTimeout time.Duration
	// Deployment names this build. The zero value: workflows go on with whichever worker asks for them.
	Deployment Deployment
}

// New returns a worker that polls the task queue through c and is ready to start. The API has to start workflows with
// the same client, otherwise their first round waits for a poll.
func New(c client.Client, a *activities.Activities, o Options) worker.Worker {
	return newWorker(c, a, o, workflows.Types())
}

func newWorker(c client.Client, a *activities.Activities, o Options, types map[string]any) worker.Worker {
	eager := maxEagerActivities
	w := worker.New(c, workflows.TaskQueue, worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize:      maxWorkflowTasks,
		MaxConcurrentLocalActivityExecutionSize:     maxWorkflowTasks,
		MaxConcurrentActivityExecutionSize:          maxActivities,
		MaxEagerActivityReservationsPerWorkflowTask: &eager,
		WorkerStopTimeout:                           o.StopTimeout,
		DeploymentOptions:                           o.Deployment.options(),
		// A run that was kept waiting heartbeats, and again when it ends: both have to reach Temporal.
		MaxHeartbeatThrottleInterval: time.Second,
		// A small machine under load can keep workflow code waiting for the processor longer than the default second.
		DeadlockDetectionTimeout: 10 * time.Second,
		// Names are given below and are part of histories: a function that is renamed keeps its old name there.
		DisableRegistrationAliasing: true,
	})
	for name, run := range types {
		w.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
	}
	for name, run := range map[string]any{
		"SendToAll":      a.SendToAll,
		"SendToEndpoint": a.SendToEndpoint,
		"SendParked":     a.SendParked,
		"CloseDelivery":  a.CloseDelivery,
		"ClosePart":      a.ClosePart,
		"Resend":         a.Resend,
		"Sweep":          a.Sweep,
		"RunTask":        a.RunTask,
		"FailTask":       a.FailTask,
		"ExpirePayloads": a.ExpirePayloads,
		"KeepHouse":      a.KeepHouse,
		"Tend":           a.Tend,
		"WakeOverdue":    a.WakeOverdue,

		"MarkScheduled":   a.MarkScheduled,
		"CancelScheduled": a.CancelScheduled,
	} {
		w.RegisterActivityWithOptions(run, activity.RegisterOptions{Name: name})
	}
	return w
}
