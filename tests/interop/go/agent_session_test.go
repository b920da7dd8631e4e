package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An agent joins by token, learns its entries, and gets X.509- and JWT-SVIDs for them.
func TestServerAgentSession(t *testing.T) {
	ctx := within(t, 60*time.Second)
	j := join(ctx, dialServer(t))
	if _, err := agentv1.NewAgentClient(j.conn).PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	entries := j.register(ctx, "/session/a", "/session/b")
	authorized := syncAll(t, j)
	if len(authorized) != 2 {
		t.Fatalf("%d entries instead of 2", len(authorized))
	}
	if _, err := bundlev1.NewBundleClient(j.conn).GetBundle(ctx, &bundlev1.GetBundleRequest{}); err != nil {
		t.Fatal(err)
	}
	x509SVIDs(t, j, entries)
	jwtSVID(t, j, entries[0])
}

func x509SVIDs(t *testing.T, j *joined, entries []*types.Entry) {
	ctx := within(t, 30*time.Second)
	key := newKey(t)
	answer, err := svidv1.NewSVIDClient(j.conn).BatchNewX509SVID(ctx, &svidv1.BatchNewX509SVIDRequest{
		Params: []*svidv1.NewX509SVIDParams{
			{EntryId: entries[0].Id, Csr: newCSR(t, key, "spiffe://"+j.trustDomain.Name()+"/session/a")},
			{EntryId: "nobody", Csr: newCSR(t, key)},
			{EntryId: entries[1].Id, Csr: []byte("broken")},
			{EntryId: entries[1].Id, Csr: newCSR(t, key)},
		}})
	if err != nil {
		t.Fatal(err)
	}
	expected := []codes.Code{codes.OK, codes.NotFound, codes.InvalidArgument, codes.OK}
	for i, result := range answer.Results {
		if codes.Code(result.Status.Code) != expected[i] {
			t.Fatalf("item %d: %d %s", i, result.Status.Code, result.Status.Message)
		}
	}
	svid := newSVID(t, answer.Results[0].Svid, key)
	if svid.ID.Path() != "/session/a" {
		t.Fatalf("issued for %s", svid.ID)
	}
	if _, _, err := x509svid.Verify(svid.Certificates, j.bundle(ctx)); err != nil {
		t.Fatal(err)
	}
}

func jwtSVID(t *testing.T, j *joined, entry *types.Entry) {
	ctx := within(t, 30*time.Second)
	client := svidv1.NewSVIDClient(j.conn)
	answer, err := client.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: entry.Id, Audience: []string{"db"}})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Svid.Token == "" || answer.Svid.Id.Path != "/session/a" || answer.Svid.ExpiresAt <= time.Now().Unix() {
		t.Fatalf("%v", answer.Svid)
	}
	_, err = client.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: entry.Id})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("no audience gave %v", err)
	}
	_, err = client.NewJWTSVID(ctx, &svidv1.NewJWTSVIDRequest{EntryId: "nobody", Audience: []string{"db"}})
	if status.Code(err) != codes.NotFound {
		t.Fatalf("an unknown entry gave %v", err)
	}
}

func syncAll(t *testing.T, j *joined) []*types.Entry {
	t.Helper()
	ctx := within(t, 30*time.Second)
	stream, err := entryv1.NewEntryClient(j.conn).SyncAuthorizedEntries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mask := &types.EntryMask{SpiffeId: true, Selectors: true, RevisionNumber: true, Hint: true, CreatedAt: true}
	if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{OutputMask: mask}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.EntryRevisions) == 0 {
		return answer.Entries
	}
	revisions := answer.EntryRevisions
	for answer.More {
		if answer, err = stream.Recv(); err != nil {
			t.Fatal(err)
		}
		revisions = append(revisions, answer.EntryRevisions...)
	}
	var ids []string
	for _, revision := range revisions {
		ids = append(ids, revision.Id)
	}
	var entries []*types.Entry
	for len(ids) > 0 {
		page := min(len(ids), 500)
		if err := stream.Send(&entryv1.SyncAuthorizedEntriesRequest{Ids: ids[:page]}); err != nil {
			t.Fatal(err)
		}
		ids = ids[page:]
		for {
			answer, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, answer.Entries...)
			if !answer.More {
				break
			}
		}
	}
	return entries
}

// More than 500 entries are synchronised by revisions and pages.
func TestServerLargeSync(t *testing.T) {
	ctx := within(t, 120*time.Second)
	j := join(ctx, dialServer(t))
	var paths []string
	for i := range 1203 {
		paths = append(paths, fmt.Sprintf("/large/%d", i))
	}
	j.register(ctx, paths[:600]...)
	j.register(ctx, paths[600:]...)
	seen := map[string]bool{}
	for _, entry := range syncAll(t, j) {
		seen[entry.SpiffeId.Path] = true
	}
	if len(seen) != len(paths) {
		t.Fatalf("%d of %d entries", len(seen), len(paths))
	}
}

// Both serial numbers are good after a renewal until the new one is used.
func TestServerRenewal(t *testing.T) {
	ctx := within(t, 60*time.Second)
	j := join(ctx, dialServer(t))
	key := newKey(t)
	answer, err := agentv1.NewAgentClient(j.conn).RenewAgent(ctx, &agentv1.RenewAgentRequest{
		Params: &agentv1.AgentX509SVIDParams{Csr: newCSR(t, key)}})
	if err != nil {
		t.Fatal(err)
	}
	old := agentv1.NewAgentClient(j.conn)
	if _, err := old.PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
		t.Fatalf("the former SVID before the new one was used: %v", err)
	}
	renewed := agentv1.NewAgentClient(j.connect(ctx, newSVID(t, answer.Svid, key)))
	if _, err := renewed.PostStatus(ctx, &agentv1.PostStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = old.PostStatus(ctx, &agentv1.PostStatusRequest{})
	requireReason(t, err, types.PermissionDeniedDetails_AGENT_NOT_ACTIVE)
}

func requireReason(t *testing.T, err error, expected types.PermissionDeniedDetails_Reason) {
	t.Helper()
	found := status.Convert(err)
	if found.Code() != codes.PermissionDenied {
		t.Fatalf("expected PermissionDenied, got %v", err)
	}
	for _, detail := range found.Details() {
		if denied, ok := detail.(*types.PermissionDeniedDetails); ok && denied.Reason == expected {
			return
		}
	}
	t.Fatalf("reason %v is missing in %v", expected, found.Details())
}

// A banned agent is refused with its reason and may attest again only after an eviction.
func TestServerBanAndEvict(t *testing.T) {
	ctx := within(t, 60*time.Second)
	j := join(ctx, dialServer(t))
	admin := agentv1.NewAgentClient(j.local)
	if _, err := admin.BanAgent(ctx, &agentv1.BanAgentRequest{Id: j.agentID()}); err != nil {
		t.Fatal(err)
	}
	fresh := agentv1.NewAgentClient(j.connect(ctx, j.svid))
	_, err := fresh.PostStatus(ctx, &agentv1.PostStatusRequest{})
	requireReason(t, err, types.PermissionDeniedDetails_AGENT_BANNED)
	agent, err := admin.GetAgent(ctx, &agentv1.GetAgentRequest{Id: j.agentID()})
	if err != nil || !agent.Banned || agent.X509SvidSerialNumber != "" {
		t.Fatalf("%v, %v", agent, err)
	}
	if _, err := admin.DeleteAgent(ctx, &agentv1.DeleteAgentRequest{Id: j.agentID()}); err != nil {
		t.Fatal(err)
	}
	_, err = agentv1.NewAgentClient(j.connect(ctx, j.svid)).PostStatus(ctx, &agentv1.PostStatusRequest{})
	requireReason(t, err, types.PermissionDeniedDetails_AGENT_NOT_ATTESTED)
}

// Without a client certificate only AttestAgent and GetBundle answer.
func TestServerUnauthenticated(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	conn := s.connect(ctx, nil)
	if _, err := bundlev1.NewBundleClient(conn).GetBundle(ctx, &bundlev1.GetBundleRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err := entryv1.NewEntryClient(conn).ListEntries(ctx, &entryv1.ListEntriesRequest{})
	if status.Code(err) != codes.PermissionDenied {
		t.Fatalf("expected PermissionDenied, got %v", err)
	}
}
