package activities

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
)

// The types of the errors that activities return, as Temporal shows them. A failed attempt has its error class as type.
const (
	// ErrorExhausted ends a delivery: every scheduled attempt failed. It is not retried.
	ErrorExhausted = "DeliveryExhausted"
	// ErrorHeld keeps a delivery waiting because its endpoint takes no messages for the time being.
	ErrorHeld = "DeliveryHeld"
	// ErrorWaiting keeps a delivery waiting for its time, its turn, or a free slot.
	ErrorWaiting = "DeliveryWaiting"
	// ErrorStorage means that the database could not be read or written. It is retried.
	ErrorStorage = "Storage"
	// ErrorMissing means that the message is not in the database. It is not retried.
	ErrorMissing = "MessageMissing"
	// ErrorTaskFailed ends a background task that can't be done. It is not retried.
	ErrorTaskFailed = "TaskFailed"
	// ErrorTaskMissing means that the task is not in the database. It is not retried.
	ErrorTaskMissing = "TaskMissing"
	// ErrorUnknownTask means that this process is too old for the task. It is retried, by another process perhaps.
	ErrorUnknownTask = "UnknownTask"
	// ErrorStopping interrupts a task because the process stops. It is retried at once, by the next process.
	ErrorStopping = "Stopping"
)

// storeError makes an error of the store fit for Temporal: the cause stays out of the history's error chain, whose
// details could hold more than an operator should see, but its text is kept.
func storeError(err error) error {
	if posthorn.CodeOf(err) == posthorn.NotFound {
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrorMissing, nil)
	}
	return temporal.NewApplicationError(err.Error(), ErrorStorage)
}

// attemptError reports a failed attempt, the n-th of the schedule. Its text is what the Web UI shows as the last failure, and
// its NextRetryDelay has Temporal wait until the next attempt is due.
//
// The number goes along as details, which the next run can read ([reported]): where Temporal knows of all attempts on record
// and starts a run nevertheless, then either the next attempt is due or an operator wants it now. An attempt that Temporal does
// not know of, because a process died before it could tell, is reported first.
func attemptError(attempt posthorn.Attempt, n int, now time.Time) error {
	options := temporal.ApplicationErrorOptions{
		// A receiver that fails is an everyday event for us, not a fault of the worker.
		Category: temporal.ApplicationErrorCategoryBenign,
	}
	if attempt.NextAt.IsZero() {
		options.NonRetryable = true
		return temporal.NewApplicationErrorWithOptions(attempt.Message, ErrorExhausted, options)
	}
	// Zero would mean "as the retry policy says".
	options.NextRetryDelay = max(attempt.NextAt.Sub(now), time.Millisecond)
	options.Details = []any{n}
	return temporal.NewApplicationErrorWithOptions(attempt.Message, attempt.ErrorClass, options)
}

// waitingError has Temporal ask again after a while.
func waitingError(waits posthorn.Wait, reason string, after time.Duration) error {
	kind := ErrorWaiting
	if waits.Holds() {
		kind = ErrorHeld
	}
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{
		Category:       temporal.ApplicationErrorCategoryBenign,
		NextRetryDelay: max(after, time.Millisecond),
	})
}

// isWaiting reports whether a run ends because its delivery has to wait: before the gate, or for its next attempt.
func isWaiting(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.NextRetryDelay() > 0
}

// failedError ends a delivery that failed otherwise than by its last attempt.
func failedError(reason string) error {
	return temporal.NewApplicationErrorWithOptions(reason, ErrorExhausted, temporal.ApplicationErrorOptions{
		NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// isFinal reports whether a run's error ends its delivery.
func isFinal(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.NonRetryable()
}

// IsExhausted reports whether an activity ended because the schedule of a delivery is used up.
func IsExhausted(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == ErrorExhausted
}
