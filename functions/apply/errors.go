package apply

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a citizen's wish, beside the faults of the rooms below.
var (
	errNothingDecided = fault.New(fault.Conflict, "nothing-decided", "这份申请还没有作出决定，暂时不用提异议；有话要说请补充情况。", "There is no decision to object to yet.")
	errNotPaid        = fault.New(fault.Conflict, "not-paid-yet", "救助金还没有发放，发放后会通知您确认。", "Nothing was paid on this award yet.")
	errPictureAgain   = fault.New(fault.Conflict, "document-again", "这张照片已经上传过了，不用重复上传。", "This picture is there already.")
	errDocuments      = fault.New(fault.Conflict, "too-many-documents", "这份申请的材料已经足够多，不能再上传。", "The application has as many documents as it may.")
	errRequests       = fault.New(fault.TooMany, "too-many-changes", "这份申请的改动太多，请拨打12345由工作人员办理。", "The application was changed too often.")
	errNothing        = fault.New(fault.Invalid, "nothing-to-change", "没有要补充的内容。", "There is nothing in this supplement.")
)
