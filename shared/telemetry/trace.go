// Package telemetry is what the running system says about itself: one JSON log
// line a step, one metric line a fact, and one trace id from phone to bank and
// back. It knows no noun, and it refuses to print errors in full, because what
// a request held can be in them.
package telemetry

import "context"

type traceKey struct{}

// WithTrace puts the trace id into ctx. Every log line under it carries the id.
func WithTrace(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// Trace is the trace id in ctx, or "".
func Trace(ctx context.Context) string {
	id, _ := ctx.Value(traceKey{}).(string)
	return id
}
