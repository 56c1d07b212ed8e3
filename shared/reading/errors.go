package reading

import "github.com/doudi-aid/doudi/shared/fault"

// What can stand in the way of seeing particulars whole.
var (
	ErrNotFound = fault.New(fault.NotFound, "reveal-not-found", "没有这项查看申请。", "No such request to see.")
	ErrMovedOn  = fault.New(fault.Conflict, "reveal-moved", "这项查看申请刚刚有变动，请刷新后重试。", "The request to see changed meanwhile; reload and try again.")
	ErrState    = fault.New(fault.Conflict, "reveal-state", "这项查看申请已经有人办理过这一步，或者已经过期。", "Somebody took this step already, or the request has run out.")
	ErrAlone    = fault.New(fault.Forbidden, "reveal-alone", "查看完整的个人信息须由两人：一人申请并说明理由，另一人同意。", "Two people open particulars: one asks with a reason, another agrees.")
	ErrClosed   = fault.New(fault.Forbidden, "reveal-closed", "查看时间已过，需要再看请重新申请。", "The time to look is over; ask again if it is needed.")
	ErrNotYours = fault.New(fault.Forbidden, "reveal-not-yours", "只有申请的人本人可以查看。", "Only the person who asked may look.")
)
