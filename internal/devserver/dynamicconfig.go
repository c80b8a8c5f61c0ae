package devserver

import (
	"time"

	chasmactivity "go.temporal.io/server/chasm/lib/activity"
	"go.temporal.io/server/common/dynamicconfig"
)

// unlimited stands where Temporal protects tenants of a shared cluster from each other. Here there is one tenant, and
// the disk is the limit.
const unlimited = 1_000_000

// schedulerWorkers is the number of goroutines per task category. The default of 512 only queues up in front of the
// single SQLite connection.
const schedulerWorkers = 32

// dynamicConfig tunes Temporal for one small machine and one namespace.
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// Requests. An event is two calls (start, complete), so the default of 2400/s would cap at 1200 events/s.
		dynamicconfig.FrontendRPS.Key():                        unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key(): unlimited,
		dynamicconfig.HistoryRPS.Key():                         unlimited,
		dynamicconfig.MatchingRPS.Key():                        unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():           unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():            unlimited,

		// Lists and counts: the default of 10/s is less than one open Web UI page and our own dashboard ask for.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 1000,

		// Concurrent long polls and queries: every poller of every worker holds one.
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): 100_000,

		// There is no load balancer whose targets must change, so connections may live: re-dialling each five
		// minutes would show up as latency.
		dynamicconfig.KeepAliveMaxConnectionAge.Key(): 24 * time.Hour,

		// Task queues. One partition: four would need forwarding between them with few pollers, and make fairness
		// and rate limits approximate. The dispatch limit is per partition.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():                     1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():                    1,
		dynamicconfig.AdminMatchingNamespaceTaskqueueToPartitionDispatchRate.Key(): 100_000.0,

		// Fairness keys keep one customer's retries from starving the others.
		dynamicconfig.MatchingEnableFairness.Key(): true,

		// Memory. A mutable state takes some 12 KB here, and those of closed workflows stay until they are pushed out, so
		// this is what a small machine holds for nothing. One that is missing is read again, by its primary key.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 256,
		// Serves replication to other clusters only, and would fill up with 8 MiB of recent events.
		dynamicconfig.XDCCacheMaxSizeBytes.Key(): 64 << 10,

		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():       schedulerWorkers,
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():    schedulerWorkers,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key():  schedulerWorkers,
		dynamicconfig.MemoryTimerProcessorSchedulerWorkerCount.Key(): schedulerWorkers,

		// An event whose retries are being watched may be queried while its workflow task runs; one buffered query
		// is not enough for a browser tab and a terminal.
		dynamicconfig.MaxBufferedQueryCount.Key(): 10,

		// Pause a whole workflow, and the operator commands of standalone activities: useful at a desk.
		dynamicconfig.WorkflowPauseEnabled.Key():                                 true,
		chasmactivity.EnableStandaloneActivityOperatorCommands.Key():             true,
		dynamicconfig.FrontendEnableBatchOperationsForStandaloneActivities.Key(): true,

		// Background scans look for damage that several hosts do to one database. Batch operations and schedules
		// run in the same service and stay on.
		dynamicconfig.TaskQueueScannerEnabled.Key():       false,
		dynamicconfig.HistoryScannerEnabled.Key():         false,
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,

		// Health signals steer traffic between hosts.
		dynamicconfig.PersistenceHealthSignalMetricsEnabled.Key():     false,
		dynamicconfig.PersistenceHealthSignalAggregationEnabled.Key(): false,
		dynamicconfig.HistoryHealthSignalMetricsEnabled.Key():         false,

		// Asks a server on the internet for newer versions, and tells it about this one.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
}
