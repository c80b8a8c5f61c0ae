package worker

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Deployment makes a worker one build of a Temporal Worker Deployment. Temporal then gives a workflow to a build that is
// meant to carry it on: the one that began it if that is Pinned, and else the one that is current.
type Deployment struct {
	Name    string // the same for all builds; empty: none
	BuildID string // unlike that of any other build
	Pinned  bool
}

func (d Deployment) options() worker.DeploymentOptions {
	if d.Name == "" {
		return worker.DeploymentOptions{}
	}
	o := worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: d.Name, BuildID: d.BuildID},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}
	if d.Pinned {
		o.DefaultVersioningBehavior = workflow.VersioningBehaviorPinned
	}
	return o
}
