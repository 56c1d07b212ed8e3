package notify

import "github.com/doudi-aid/doudi/shared/fault"

// errMoved: another worker has this notice. Indeterminate messages are dropped,
// which is right here: the other worker finishes, or the sweeper does.
var errMoved = fault.New(fault.Indeterminate, "notice-moved", "这条通知正由另一处处理。", "Another worker has this notice.")
