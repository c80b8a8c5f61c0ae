package engine

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// KeepDetails is a [grpc.UnaryClientInterceptor]: the details of an activity's failure become those of its last heartbeat, which
// the next run can read. A heartbeat of its own before each failure would cost a call, and Temporal a commit.
func KeepDetails(
	ctx context.Context, method string, in, out any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	failed, ok := in.(*workflowservice.RespondActivityTaskFailedRequest)
	if ok {
		if details := failed.GetFailure().GetApplicationFailureInfo().GetDetails(); details != nil {
			told := proto.CloneOf(failed) // the SDK may ask again with its own
			told.LastHeartbeatDetails = details
			in = told
		}
	}
	return call(ctx, method, in, out, conn, options...)
}
