with customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where {{ is_loaded_date('business_date') }}
),

phone_consents as (
    select * from {{ ref('stg_gold__phone_consents') }}
),

calls as (
    select * from {{ ref('stg_gold__calls') }}
),

open_complaints as (
    select * from {{ ref('stg_gold__open_complaints') }}
),

calls_out as (
    select
        mobile_phone_token,
        business_date,
        max(struct(
            business_date as call_date,
            call_id as call_id,
            call_result as call_result
        )) as last_call,
        max(case when call_result = 'reached' then business_date end) as reached_date
    from calls
    where
        call_direction = 'out'
        and mobile_phone_token is not null
    group by mobile_phone_token, business_date
),

-- a call belongs to the phone: whoever has that phone now was called, whatever name it was under then
last_called as (
    select
        customers.customer_id,
        customers.business_date,
        max(calls_out.last_call) as last_call,
        max(calls_out.reached_date) as last_reached_date
    from customers
    inner join calls_out
        on
            customers.mobile_phone_token = calls_out.mobile_phone_token
            and customers.business_date >= calls_out.business_date
    group by customers.customer_id, customers.business_date
),

final as (
    select
        customers.customer_id,
        customers.business_date,
        coalesce(phone_consents.consent_kind = 'marketing_granted', false) as has_marketing_consent,
        coalesce(phone_consents.consent_kind = 'do_not_call', false) as is_do_not_call,
        last_called.last_call.call_date as last_call_date,
        last_called.last_call.call_result as last_call_result,
        last_called.last_reached_date,
        coalesce(open_complaints.open_complaint_count, 0) as open_complaint_count
    from customers
    left join phone_consents
        on
            customers.mobile_phone_token = phone_consents.mobile_phone_token
            and customers.business_date = phone_consents.business_date
    left join last_called
        on
            customers.customer_id = last_called.customer_id
            and customers.business_date = last_called.business_date
    left join open_complaints
        on
            customers.customer_id = open_complaints.customer_id
            and customers.business_date = open_complaints.business_date
)

select * from final
