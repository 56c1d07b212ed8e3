package batch

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a file.
var (
	ErrNotFound = fault.New(fault.NotFound, "batch-not-found", "没有这个代发文件。", "No such payment file.")
	ErrMovedOn  = fault.New(fault.Conflict, "batch-moved", "代发文件刚刚有变动，请刷新后重试。", "The payment file changed meanwhile; reload and try again.")
	ErrState    = fault.New(fault.Conflict, "batch-state", "代发文件现在的状态不能这样办理。", "The payment file is not in a state that allows this.")
	ErrPerson   = fault.New(fault.Forbidden, "batch-same-person", "代发文件须由两人办理：提出的人不能放行。", "Two people are needed: who proposed a file does not release it.")
	ErrNothing  = fault.New(fault.Conflict, "batch-nothing", "没有等待代发的款项，或者数额与所见不符。", "Nothing waits for a payment file here, or it is not what was seen.")
	ErrOff      = fault.New(fault.Conflict, "batch-off", "本地没有启用代发文件。", "Payment files are not in use here.")
	// ErrDamaged: stored bytes are not those that were stored. A person looks.
	ErrDamaged = fault.New(fault.Internal, "batch-damaged", "代发文件的存档有误，已交由人工处理。", "The stored bytes of a payment file are damaged.")
)
