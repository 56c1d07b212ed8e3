package verify

import "github.com/doudi-aid/doudi/shared/fault"

// errMoved: the application moved while the registers were asked. The message
// comes again, and most answers are kept by then.
var errMoved = fault.New(fault.Conflict, "verification-moved", "核对期间申请有变动，将重新核对。", "The application changed while it was being verified.")
