package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"testing"
	"time"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

type popChallenge struct {
	RSA   *popNonce `json:"rsa_signature"`
	ECDSA *popNonce `json:"ecdsa_signature"`
}

type popNonce struct {
	Nonce     []byte `json:"nonce"`
	Signature []byte `json:"signature,omitempty"`
	R         []byte `json:"r,omitempty"`
	S         []byte `json:"s,omitempty"`
}

// An agent proves its node with a certificate and a signature over the server's challenge.
func TestServerX509POP(t *testing.T) {
	ctx := within(t, 30*time.Second)
	s := dialServer(t)
	pair, err := tls.LoadX509KeyPair(setting(t, "FINIAL_NODE_CERTIFICATE"), setting(t, "FINIAL_NODE_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string][][]byte{"certificates": pair.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := agentv1.NewAgentClient(s.connect(ctx, nil)).AttestAgent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	if err := stream.Send(&agentv1.AttestAgentRequest{Step: &agentv1.AttestAgentRequest_Params_{
		Params: &agentv1.AttestAgentRequest_Params{
			Data:   &types.AttestationData{Type: "x509pop", Payload: payload},
			Params: &agentv1.AgentX509SVIDParams{Csr: newCSR(t, key)},
		}}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	response := respond(t, answer.GetChallenge(), pair.PrivateKey)
	if err := stream.Send(&agentv1.AttestAgentRequest{
		Step: &agentv1.AttestAgentRequest_ChallengeResponse{ChallengeResponse: response}}); err != nil {
		t.Fatal(err)
	}
	answer, err = stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if !answer.GetResult().GetReattestable() {
		t.Fatal("x509pop can attest again")
	}
	newSVID(t, answer.GetResult().GetSvid(), key)
}

func respond(t *testing.T, challenge []byte, key crypto.PrivateKey) []byte {
	t.Helper()
	var asked popChallenge
	if err := json.Unmarshal(challenge, &asked); err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		t.Fatal(err)
	}
	answer := popChallenge{}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256(append(append([]byte{}, asked.ECDSA.Nonce...), nonce...))
		r, sig, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		answer.ECDSA = &popNonce{Nonce: nonce, R: r.Bytes(), S: sig.Bytes()}
	case *rsa.PrivateKey:
		digest := sha256.Sum256(append(append([]byte{}, asked.RSA.Nonce...), nonce...))
		signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.RSA = &popNonce{Nonce: nonce, Signature: signature}
	}
	rendered, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}
