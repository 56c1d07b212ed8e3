package staff

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a member of staff, or with what one wishes to do.
var (
	ErrNotFound   = fault.New(fault.NotFound, "staff-not-found", "没有这名工作人员。", "No such member of staff.")
	ErrMovedOn    = fault.New(fault.Conflict, "staff-moved", "这名工作人员的登记刚刚有变动，请重试。", "The staff record changed meanwhile; try again.")
	ErrNotAllowed = fault.New(fault.Forbidden, "not-allowed", "您的岗位不能办理此事。", "Your role does not allow this.")
	ErrMovedAway  = fault.New(fault.Forbidden, "moved-away", "您已不再负责这个地方，请刷新页面。", "You no longer serve this place; reload the page.")
	ErrReadOnly   = fault.New(fault.Forbidden, "supervision-reads-only", "监督、审计人员只能查看，不能办理。", "Supervisors and auditors may read and never write.")
	ErrNobody     = fault.New(fault.Forbidden, "person-unknown", "您的账号还没有登记本人身份，不能办理。", "This account is not tied to a person yet and may not act.")
	ErrKin        = fault.New(fault.Forbidden, "declared-kin", "这份申请涉及您申报的近亲属，应当回避，请交由他人或上级办理。", "This case concerns your declared kin: stand back and hand it to somebody else or further up.")
	ErrOwn        = fault.New(fault.Forbidden, "own-delegation", "不能给自己委派：提出和同意的人都不能是得到委派的人。", "Nobody delegates to themselves: whoever asks or agrees is not among those who are given it.")
	ErrCounty     = fault.New(fault.Forbidden, "county-required", "此事超出乡镇（街道）权限，须由县级民政部门批准。", "This is above the township's authority; the county must approve it.")
)
