package evidence

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with the log.
var (
	// ErrTwo: erasing a salt takes two people.
	ErrTwo = fault.New(fault.Forbidden, "erase-two-people", "销毁盐值须由两名工作人员共同办理。", "Two people erase a salt together.")
	// ErrContended: other sequencers won every time; nothing is lost, and it is tried again.
	ErrContended = fault.New(fault.Unavailable, "log-contended", "系统繁忙，请稍后再试。", "The log is busy; try again.")
	// ErrDamaged: what is stored of the log is not what the log stored.
	ErrDamaged = fault.New(fault.Internal, "log-damaged", "监督日志的存储内容校验未通过，已报警。", "Stored data of the log failed its check; a person will look.")
)
