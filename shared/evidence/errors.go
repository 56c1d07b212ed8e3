package evidence

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with the log.
var (
	// ErrTwo: erasing a salt takes two people.
	ErrTwo = fault.New(fault.Forbidden, "erase-two-people", "销毁盐值须由两名工作人员共同办理。", "Two people erase a salt together.")
	// ErrUnavailable: the place where the log is published did not answer.
	ErrUnavailable = fault.New(fault.Unavailable, "log-store-busy", "监督日志暂时存取不了，请稍后再试。", "What the log publishes cannot be stored or read at the moment; try again.").After(2)
	// ErrContended: other sequencers won every time; nothing is lost, and it is tried again.
	ErrContended = fault.New(fault.Unavailable, "log-contended", "系统繁忙，请稍后再试。", "The log is busy; try again.")
	// ErrDamaged: what is stored of the log is not what the log stored.
	ErrDamaged = fault.New(fault.Internal, "log-damaged", "监督日志的存储内容校验未通过，已报警。", "Stored data of the log failed its check; a person will look.")
	// ErrCosignature: what came is not a checkpoint of this log that a pinned witness cosigned.
	ErrCosignature = fault.New(fault.Invalid, "cosignature-refused", "联署未通过校验：不是本日志的检查点，或者联署密钥没有登记。", "Not a checkpoint of this log, cosigned by a witness that is pinned here.")
	// ErrAsked: a witness's request is not signed by one that is pinned here, or not now.
	ErrAsked = fault.New(fault.Unauthenticated, "witness-refused", "请求未由登记的监督密钥签名，或者时间不符。", "The request is not signed by a witness that is pinned here, or not now.")
	// ErrNotPublished: nothing of that name is published, or nothing yet.
	ErrNotPublished = fault.New(fault.NotFound, "log-not-published", "没有这项内容，或者尚未发布。", "Nothing of that name is published, or not yet.")
)
