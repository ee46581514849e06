{{ config(materialized='ephemeral') }}

-- lists are read off the finished profile: whoever is called can be shown the very figures that put the customer there
with profiles as (
    select * from {{ ref('mart_customer_profile') }}
),

outbound_lists as (
    select * from {{ ref('int_outbound_lists') }}
),

calendar as (
    select * from {{ ref('stg_gold__calendar') }}
),

-- where the calendar ends, two weeks are looked ahead rather than nothing
profiles_with_days as (
    select
        profiles.*,
        calendar.next_trading_date as call_date,
        coalesce(calendar.call_horizon_date, date_add(profiles.as_of_date, 14)) as horizon_date
    from profiles
    inner join calendar on profiles.as_of_date = calendar.calendar_date
),

-- a null condition is false: what is not known puts nobody on a list
with_reasons as (
    select
        *,
        explode(array_compact(array(
            case
                when margin_tier in ('close_out', 'call', 'watch') then struct(
                    concat('margin_', margin_tier) as list_name,
                    concat(
                        'minimum_maintenance_ratio ', minimum_maintenance_ratio,
                        ', credit_debt_amount ', credit_debt_amount
                    ) as reason_text
                )
            end,
            case
                when maximum_option_risk_degree >= {{ var('option_call_degree') }} then struct(
                    'option_risk' as list_name,
                    concat('maximum_option_risk_degree ', maximum_option_risk_degree) as reason_text
                )
            end,
            case
                when guarantee_tier in ('disposal', 'warning', 'watch') then struct(
                    concat('guarantee_', guarantee_tier) as list_name,
                    concat('minimum_guarantee_ratio ', minimum_guarantee_ratio) as reason_text
                )
            end,
            case
                when next_repurchase_date <= horizon_date then struct(
                    'repurchase_due' as list_name,
                    concat('next_repurchase_date ', next_repurchase_date) as reason_text
                )
            end,
            case
                when ipo_short_amount > 0 then struct(
                    'ipo_payment' as list_name,
                    concat(
                        'ipo_short_amount ', ipo_short_amount, ', ipo_payment_due_date ', ipo_payment_due_date
                    ) as reason_text
                )
            end,
            case
                when
                    ipo_subscription_short_amount > 0 and ipo_subscription_date <= coalesce(call_date, horizon_date)
                    then struct(
                        'ipo_subscription' as list_name,
                        concat(
                            'ipo_subscription_short_amount ', ipo_subscription_short_amount,
                            ', ipo_subscription_date ', ipo_subscription_date
                        ) as reason_text
                    )
            end,
            case
                when
                    datediff(as_of_date, open_date) < {{ var('new_days') }}
                    and (last_reached_date is null or last_reached_date < open_date)
                    then struct(
                        'first_call_back' as list_name,
                        concat('open_date ', open_date) as reason_text
                    )
            end,
            case
                when next_option_expiry_date <= horizon_date then struct(
                    'option_expiring' as list_name,
                    concat('next_option_expiry_date ', next_option_expiry_date) as reason_text
                )
            end,
            case
                when next_product_maturity_date <= horizon_date then struct(
                    'product_maturing' as list_name,
                    concat('next_product_maturity_date ', next_product_maturity_date) as reason_text
                )
            end,
            case
                when mismatched_holding_count > 0 then struct(
                    'suitability_mismatch' as list_name,
                    concat(
                        'risk_level ', risk_level, ', mismatched_holding_count ', mismatched_holding_count
                    ) as reason_text
                )
            end,
            case
                when identity_expiry_days <= {{ var('identity_notice_days') }} then struct(
                    'identity_expiring' as list_name,
                    concat('identity_expiry_date ', identity_expiry_date) as reason_text
                )
            end,
            case
                when risk_test_expiry_days <= {{ var('risk_test_notice_days') }} then struct(
                    'risk_test_expiring' as list_name,
                    concat('risk_test_expiry_date ', risk_test_expiry_date) as reason_text
                )
            end,
            case
                when life_cycle = 'at_risk' then struct(
                    'leaving' as list_name,
                    concat(
                        'total_asset_amount ', total_asset_amount,
                        ', average_20d_asset_amount ', average_20d_asset_amount
                    ) as reason_text
                )
            end,
            case
                when life_cycle = 'dormant' then struct(
                    'dormant' as list_name,
                    concat('inactive_days ', inactive_days) as reason_text
                )
            end
        ))) as entry
    from profiles_with_days
),

-- the strongest reason not to call; a mandatory notice gives way to the law alone
final as (
    select
        with_reasons.as_of_date,
        with_reasons.customer_id,
        with_reasons.branch_id,
        with_reasons.main_staff_employee_id,
        with_reasons.mobile_phone_token,
        with_reasons.mobile_phone_masked,
        with_reasons.call_date,
        with_reasons.entry.reason_text,
        outbound_lists.list_name,
        outbound_lists.reason_code,
        outbound_lists.purpose,
        outbound_lists.priority,
        outbound_lists.call_channel,
        outbound_lists.escalation_channel,
        outbound_lists.due_time,
        outbound_lists.script_id,
        case
            when with_reasons.customer_status in ('closed', 'frozen') then with_reasons.customer_status
            when with_reasons.mobile_phone_token is null then 'no_phone'
            when outbound_lists.purpose = 'mandatory' then null
            when with_reasons.is_do_not_call then 'do_not_call'
            when with_reasons.open_complaint_count > 0 then 'complaint_open'
            when
                outbound_lists.purpose = 'marketing' and not with_reasons.has_marketing_consent
                then 'no_consent'
            when
                datediff(with_reasons.call_date, with_reasons.last_call_date) < {{ var('call_cool_down_days') }}
                then 'cool_down'
        end as suppressed_by
    from with_reasons
    inner join outbound_lists on with_reasons.entry.list_name = outbound_lists.list_name
)

select * from final
