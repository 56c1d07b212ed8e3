package envelope

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with an envelope or with a wish to move it.
var (
	ErrNotFound = fault.New(fault.NotFound, "envelope-not-found", "没有找到这项常设审批。", "No such standing approval.")
	ErrOff      = fault.New(fault.Conflict, "envelope-off", "本地规则没有启用常设审批。", "The rules of this region do not allow standing approvals.")
	ErrState    = fault.New(fault.Conflict, "envelope-state", "这项常设审批现在的状态不能这样办理。", "The standing approval is not in a state that allows this.")
	ErrOver     = fault.New(fault.Conflict, "envelope-over", "这项常设审批的期限已过。", "The standing approval has ended.")
	ErrMovedOn  = fault.New(fault.Conflict, "envelope-moved", "这项常设审批刚刚有变动，请刷新后再办理。", "The standing approval changed meanwhile; read it again.")
)
