package application

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with an application or with a wish to move it.
var (
	ErrNotFound   = fault.New(fault.NotFound, "application-not-found", "没有找到这份申请。", "No such application.")
	ErrState      = fault.New(fault.Conflict, "application-state", "这份申请现在的状态不能这样办理，请刷新后再看。", "The application is not in a state that allows this.")
	ErrMovedOn    = fault.New(fault.Conflict, "application-moved", "这份申请刚刚有变动，请刷新后再办理。", "The application changed meanwhile; read it again.")
	ErrHeld       = fault.New(fault.Conflict, "application-held", "这份申请有未解除的暂缓，解除后才能继续。", "A hold on the application must be lifted first.")
	ErrNoHold     = fault.New(fault.NotFound, "hold-not-found", "没有找到这条暂缓。", "No such hold.")
	ErrNoAppeal   = fault.New(fault.NotFound, "appeal-not-found", "没有找到这条异议。", "No such appeal.")
	ErrAnswered   = fault.New(fault.Conflict, "appeal-answered", "这条异议已经答复。", "The appeal has been answered.")
	ErrNotAPerson = fault.New(fault.Forbidden, "person-required", "此事只能由经办人员本人决定。", "Only a person may decide this.")
	ErrSamePerson = fault.New(fault.Forbidden, "same-person", "提出和批准必须是两个人。", "Two different people must act.")
	ErrDuplicate  = fault.New(fault.Conflict, "duplicate-open", "您已经为同一个人、同一件事提交过申请，还在办理中。", "You have an open application for the same person and cause.")
	ErrReused     = fault.New(fault.Mismatch, "idempotency-mismatch", "同一个 Idempotency-Key 不能用于不同的内容。", "This Idempotency-Key was used before with another body.")
	ErrConcerned  = fault.New(fault.Forbidden, "self-dealing", "您与这份申请有关联，应当回避。", "You are concerned by this application and must stand back.")
)
