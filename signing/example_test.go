package signing_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/posthorn/posthorn/signing"
)

func ExampleSign() {
	key, err := signing.ParseKey("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Unix(1649367553, 0)
	payload := []byte(`{"email":"test@example.com","username":"test_user"}`)

	signature, err := signing.Sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", at, payload, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signing.HeaderID+":", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk")
	fmt.Println(signing.HeaderTimestamp+":", strconv.FormatInt(at.Unix(), 10))
	fmt.Println(signing.HeaderSignature+":", signature)
	// Output:
	// webhook-id: msg_27UH4WbU6Z5A5EzD8u03UvzRbpk
	// webhook-timestamp: 1649367553
	// webhook-signature: v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=
}

func ExampleVerify() {
	key, err := signing.ParseKey("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
	if err != nil {
		fmt.Println(err)
		return
	}
	clock := func() time.Time { return time.Unix(1649367557, 0) } // time.Now in a real receiver

	receive := func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "can't read the body", http.StatusBadRequest)
			return
		}
		if err := signing.Verify(r.Header, payload, clock(), key); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}

	for _, payload := range []string{
		`{"email":"test@example.com","username":"test_user"}`,
		`{"email":"test@example.com","username":"root"}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(payload))
		r.Header.Set(signing.HeaderID, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk")
		r.Header.Set(signing.HeaderTimestamp, "1649367553")
		r.Header.Set(signing.HeaderSignature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")
		w := httptest.NewRecorder()
		receive(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 204
	// 401
}

func ExampleKey() {
	key := signing.NewSymmetricKey()
	fmt.Println(key)
	fmt.Println(len(key.Reveal()))
	// Output:
	// whsec_…(redacted)
	// 50
}
