{{ config(materialized='ephemeral') }}

-- one client, one call: the smallest priority wins. Times are of the trading day after the date, in China
with final as (
    select *
    from
        values
        ('margin_close_out', 'M1', 'mandatory', 10, 'human', null, '09:15', 'S-M1'),
        ('margin_call', 'M2', 'mandatory', 20, 'human', null, '14:00', 'S-M2'),
        ('option_risk', 'O1', 'mandatory', 30, 'human', null, '09:15', 'S-O1'),
        ('guarantee_disposal', 'G1', 'mandatory', 40, 'human', null, '09:15', 'S-G1'),
        ('guarantee_warning', 'G2', 'mandatory', 50, 'human', null, '14:00', 'S-G2'),
        ('ipo_payment', 'N1', 'mandatory', 60, 'robot', 'human', '15:30', 'S-N1'),
        ('option_expiring', 'O2', 'mandatory', 70, 'robot', 'human', '14:00', 'S-O2'),
        ('repurchase_due', 'G4', 'mandatory', 80, 'human', null, '14:00', 'S-G4'),
        ('ipo_subscription', 'N2', 'service', 90, 'robot', 'human', '15:00', 'S-N2'),
        ('product_maturing', 'P1', 'service', 100, 'robot', 'human', '15:00', 'S-P1'),
        ('suitability_mismatch', 'S1', 'service', 110, 'human', null, '17:00', 'S-S1'),
        ('margin_watch', 'M3', 'service', 120, 'robot', 'human', '15:00', 'S-M3'),
        ('guarantee_watch', 'G3', 'service', 130, 'robot', 'human', '15:00', 'S-G3'),
        ('first_call_back', 'B1', 'service', 140, 'human', null, '18:00', 'S-B1'),
        ('identity_expiring', 'I1', 'service', 150, 'robot', 'human', '18:00', 'S-I1'),
        ('risk_test_expiring', 'R1', 'service', 160, 'robot', 'human', '18:00', 'S-R1'),
        ('leaving', 'L1', 'marketing', 170, 'human', null, '18:00', 'S-L1'),
        ('dormant', 'L2', 'marketing', 180, 'robot', 'human', '20:00', 'S-L2')
            as outbound_lists (
                list_name, reason_code, purpose, priority, call_channel, escalation_channel, due_time, script_id
            )
)

select * from final
