-- What an installation had stored under version 1 of the schema: a message that was delivered at once, and one that is
-- being retried.

INSERT INTO application (id, org_id, uid, name, throttle_rate, created_at, updated_at)
VALUES ('app_06h0tvat01sfzar2jjetv580dg', 'org_1', 'acme', 'Acme', 0, 1795521600000000, 1795521600000000);

INSERT INTO endpoint (id, app_id, url, description, event_types, disabled, throttle_rate, secrets, created_at, updated_at, ordered, max_in_flight)
VALUES ('ep_06h0tvat01sfzar2jjetv580dg', 'app_06h0tvat01sfzar2jjetv580dg', 'https://hooks.example.com/in', '', '["invoice.paid"]', false, 0,
    '[{"key":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]', 1795521600000000, 1795521600000000, false, 0);

INSERT INTO event_type (org_id, name, description, archived, deprecated, created_at, updated_at)
VALUES ('org_1', 'invoice.paid', 'An invoice was paid.', false, false, 1795521600000000, 1795521600000000);

INSERT INTO message (seq, id, app_id, event_id, event_type, channels, created_at, expires_at, payload_version, variants) VALUES
    (1048576, 'msg_06h0tvat01ve3degsnjyet0yw8', 'app_06h0tvat01sfzar2jjetv580dg', 'first', 'invoice.paid', '["eu"]', 1795521600000000, 9007199254740991, 'v2', '["v1"]'),
    (2097152, 'msg_06h0tvat01rkv62vzrdgnkpmb0', 'app_06h0tvat01sfzar2jjetv580dg', NULL, 'invoice.paid', NULL, 1795521600000000, 9007199254740991, NULL, NULL);

INSERT INTO message_payload (message_id, expires_at, payload) VALUES
    ('msg_06h0tvat01ve3degsnjyet0yw8', 9007199254740991, '{"n":1}'),
    ('msg_06h0tvat01rkv62vzrdgnkpmb0', 9007199254740991, '{"n":2}');

INSERT INTO message_variant (message_id, version, payload) VALUES ('msg_06h0tvat01ve3degsnjyet0yw8', 'v1', '{"old":1}');

INSERT INTO delivery (message_id, endpoint_id, app_id, state, reason, attempts, scheduled, newest, next_at, updated_at, event_type, waits, alarmed, parked) VALUES
    ('msg_06h0tvat01ve3degsnjyet0yw8', 'ep_06h0tvat01sfzar2jjetv580dg', 'app_06h0tvat01sfzar2jjetv580dg', 'delivered', '', 1, 1,
        'atmpt_06h0tvaxx1ve3degsnjyet0yw8', NULL, 1795521601000000, 'invoice.paid', '', false, false),
    ('msg_06h0tvat01rkv62vzrdgnkpmb0', 'ep_06h0tvat01sfzar2jjetv580dg', 'app_06h0tvat01sfzar2jjetv580dg', 'retrying', '', 1, 1,
        'atmpt_06h0tvaxx1rkv62vzrdgnkpmb0', 1795521900000000, 1795521601000000, 'invoice.paid', '', false, false);

INSERT INTO attempt (seq, id, message_id, endpoint_id, app_id, event_type, number, trigger, url, started_at, duration, success, status, truncated, error_class, message, next_at) VALUES
    (1048576, 'atmpt_06h0tvaxx1ve3degsnjyet0yw8', 'msg_06h0tvat01ve3degsnjyet0yw8', 'ep_06h0tvat01sfzar2jjetv580dg', 'app_06h0tvat01sfzar2jjetv580dg',
        'invoice.paid', 1, 'automatic', 'https://hooks.example.com/in', 1795521601000000, 1000, true, 200, false, '', '200 OK', NULL),
    (2097152, 'atmpt_06h0tvaxx1rkv62vzrdgnkpmb0', 'msg_06h0tvat01rkv62vzrdgnkpmb0', 'ep_06h0tvat01sfzar2jjetv580dg', 'app_06h0tvat01sfzar2jjetv580dg',
        'invoice.paid', 1, 'automatic', 'https://hooks.example.com/in', 1795521601000000, 1000, false, 503, false, '', '503 Service Unavailable', 1795521900000000);

INSERT INTO label (owner_id, kind, name, event_type, standing, item_id, item_seq) VALUES
    ('app_06h0tvat01sfzar2jjetv580dg', 'channel', 'eu', 'invoice.paid', '', 'msg_06h0tvat01ve3degsnjyet0yw8', 1048576);
