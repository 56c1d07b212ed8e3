package brake

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a brake, and what the stopped are told.
var (
	ErrNotFound = fault.New(fault.NotFound, "brake-not-found", "没有这个制动。", "No such brake.")
	ErrMovedOn  = fault.New(fault.Conflict, "brake-moved", "制动状态刚刚有变动，请刷新后重试。", "The brakes changed meanwhile; reload and try again.")
	ErrState    = fault.New(fault.Conflict, "brake-state", "这个制动已经解除、已经失效或已经有人办理过这一步。", "The brake is lifted, has lapsed, or somebody took this step already.")
	ErrAlready  = fault.New(fault.Conflict, "brake-exists", "同一范围已经制动，请由另一人确认。", "This is braked already; another person should second it.")
	ErrAlone    = fault.New(fault.Conflict, "brake-alone", "您单独发起的制动在24小时内没有得到第二人确认而失效，请由另一人发起。", "A brake that you pulled alone lapsed within a day; somebody else must pull this one.")
	ErrMany     = fault.New(fault.Conflict, "brake-too-many", "同时生效的制动过多，请改用更大范围的制动。", "Too many brakes stand at once; brake a wider scope.")
	ErrPerson   = fault.New(fault.Forbidden, "brake-same-person", "制动须由两人，解除须由另外两人；您已参与过这个制动，或者被制动的就是您。", "Two people brake and two others lift; you took part already, or it is you who is stopped.")
	// ErrStopped is for whoever wishes to let money come nearer to leaving.
	ErrStopped = fault.New(fault.Conflict, "payments-stopped", "此项发放已被紧急制动，解除后可继续办理；应发的款项不会丢失。", "Payments here are stopped by a brake; go on when it is lifted. What is owed stays owed.")
	// ErrFrozen is for an officer who is stopped.
	ErrFrozen = fault.New(fault.Forbidden, "officer-frozen", "您的账号已被暂停办理业务，请与监督部门联系。", "Your account is stopped by a brake; speak to the supervision office.")
)
