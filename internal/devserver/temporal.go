package devserver

import (
	"fmt"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// historyShards is fixed in the file at the first start. A shard is a queue of its own with its own timers and lock;
// with one database connection more of them only cost (four took 8 % more CPU per workflow than one).
const historyShards = 1

const (
	mainStore       = "main"
	visibilityStore = "visibility"
)

// newTemporal builds the four services of a Temporal server, and lets go of their ports. Wrong ports or files panic inside
// Temporal; they come back as errors.
func newTemporal(
	p *ports, main, visibility *config.SQL, settings dynamicconfig.StaticClient, l logger,
) (server temporal.Server, err error) {
	defer recoverAs(&err)
	p.release()

	hosts := map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(p.frontend.dial()),
		primitives.HistoryService:  static.SingleLocalHost(p.history.dial()),
		primitives.MatchingService: static.SingleLocalHost(p.matching.dial()),
		primitives.WorkerService:   static.SingleLocalHost(p.worker.dial()),
	}
	return temporal.NewServer(
		temporal.WithConfig(serverConfig(*p, main, visibility)),
		temporal.ForServices(temporal.DefaultServices),
		// Known addresses instead of a membership protocol: no gossip ports, and no waiting for the ring to settle.
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(l),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(settings),
	)
}

func startTemporal(server temporal.Server) (err error) {
	defer recoverAs(&err)
	return server.Start()
}

func stopTemporal(server temporal.Server) (err error) {
	defer recoverAs(&err)
	return server.Stop()
}

// recoverAs turns a panic into an error.
func recoverAs(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v", r)
	}
}

func serverConfig(p ports, main, visibility *config.SQL) *config.Config {
	c := new(config.Config)
	// Metrics stay nil: Temporal's are hundreds of series, and gathering them costs several percent.
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = "127.0.0.1"

	c.Persistence = config.Persistence{
		DefaultStore:     mainStore,
		VisibilityStore:  visibilityStore,
		NumHistoryShards: historyShards,
		DataStores: map[string]config.DataStore{
			mainStore:       {SQL: main},
			visibilityStore: {SQL: visibility},
		},
	}
	c.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: p.frontend.dial()},
		},
	}
	c.DCRedirectionPolicy.Policy = "noop"
	c.PublicClient.HostPort = p.frontend.dial()
	c.Services = map[string]config.Service{
		string(primitives.FrontendService): service(p.frontend),
		string(primitives.HistoryService):  service(p.history),
		string(primitives.MatchingService): service(p.matching),
		string(primitives.WorkerService):   service(p.worker),
	}
	c.Archival.History.State = config.ArchivalDisabled
	c.Archival.Visibility.State = config.ArchivalDisabled
	c.NamespaceDefaults.Archival.History.State = config.ArchivalDisabled
	c.NamespaceDefaults.Archival.Visibility.State = config.ArchivalDisabled
	return c
}

// service listens for gRPC only. The HTTP API would be one more port; the Web UI brings its own.
func service(a address) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: a.port, BindOnIP: a.ip.String()}}
}
