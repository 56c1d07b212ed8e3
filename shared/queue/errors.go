package queue

import "github.com/doudi-aid/doudi/shared/fault"

// ErrFull: the broker holds as much as it may. What was to be sent is owed
// according to the table, and the sweeper sends it again.
var ErrFull = fault.New(fault.Unavailable, "queue-full", "系统繁忙，请稍后再试。", "The system is busy. Please try again later.").After(5)

// ErrClosed: the broker is shutting down.
var ErrClosed = fault.New(fault.Unavailable, "queue-closed", "系统正在重启，请稍后再试。", "The system is restarting. Please try again later.").After(5)

// ErrTooManyHops: messages made messages made messages; something goes round in
// a circle. China regions have no recursive-loop detection, so this is ours.
var ErrTooManyHops = fault.New(fault.Invalid, "too-many-hops", "系统内部消息循环，已交由人工处理。", "Internal messages go round in a circle; a person will look.")

// ErrPanicked: a handler panicked. The message comes back a bounded number of times.
var ErrPanicked = fault.New(fault.Internal, "handler-panicked", "系统出错，我们已记录。", "Something went wrong on our side and was recorded.")

// ErrUnavailable: the broker did not take the message, or did not say so. What
// was to be sent is owed according to the table, and the sweeper sends it again.
var ErrUnavailable = fault.New(fault.Unavailable, "queue-unavailable", "系统繁忙，请稍后再试。", "The system is busy. Please try again later.").After(5)
