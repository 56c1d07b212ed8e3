package complaint

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a complaint, or with what one wishes to do about it.
var (
	ErrNotFound = fault.New(fault.NotFound, "complaint-not-found", "没有找到这件投诉。", "No such complaint.")
	ErrPlace    = fault.New(fault.Invalid, "complaint-place", "这个地方还没有开通网上投诉，请拨打12345。", "Complaints are not taken online for this place.")
	ErrMovedOn  = fault.New(fault.Conflict, "complaint-moved", "这件投诉刚刚有变动，请刷新后重试。", "The complaint changed meanwhile; reload and try again.")
	ErrState    = fault.New(fault.Conflict, "complaint-state", "这件投诉现在不能办理这一步。", "The complaint is not at this step.")
	ErrReused   = fault.New(fault.Mismatch, "complaint-request-reused", "同一个请求编号被用于不同的内容。", "The same request key was used with another body.")
	ErrPerson   = fault.New(fault.Forbidden, "complaint-same-person", "办理、审核、延期、回头看须由不同的人；您已经办过前一步。", "Handling, review, extension and look-back are done by different people; you did the step before.")
	ErrTarget   = fault.New(fault.Conflict, "complaint-target", "不能把投诉交给被投诉的单位或者个人办理。", "A complaint is never handled by the unit or person complained about.")
	ErrLower    = fault.New(fault.Conflict, "complaint-review-level", "复查、复核须由原办理单位的上一级办理。", "A review is done by a level above the one that handled it.")
	ErrOnce     = fault.New(fault.Conflict, "complaint-extended", "办理期限只能延长一次。", "The time may be extended once only.")
	ErrCap      = fault.New(fault.Conflict, "complaint-pause-cap", "暂停计时的总天数超过了上限。", "The pauses together would be longer than is allowed.")
	ErrPaused   = fault.New(fault.Conflict, "complaint-paused", "已经在暂停计时。", "The clock is paused already.")
	ErrRated    = fault.New(fault.Conflict, "complaint-rated", "您已经评价过这次答复。", "This reply is rated already.")
	ErrLate     = fault.New(fault.Conflict, "complaint-too-late", "已经超过规定的期限。", "The time for this has passed.")
	ErrNotes    = fault.New(fault.Conflict, "complaint-note-answered", "没有这份督办，或者已经回复。", "No such supervision note, or it is answered.")
	ErrQuota    = fault.New(fault.TooMany, "complaint-quota", "今天提交的投诉太多，请明天再试或者拨打12345。", "Too many complaints today.")
	ErrMany     = fault.New(fault.TooMany, "complaint-too-many-changes", "这件投诉的改动太多，请拨打12345。", "The complaint was changed too often.")
)
