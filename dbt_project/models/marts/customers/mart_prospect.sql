with applications as (
    select * from {{ ref('stg_gold__applications') }}
),

branches as (
    select * from {{ ref('stg_gold__branches') }}
),

phone_consents as (
    select * from {{ ref('stg_gold__phone_consents') }}
),

-- of several applications with one phone the last begun speaks; a phone nobody can read is nobody's
ranked as (
    select
        *,
        row_number() over (
            partition by prospect_id, business_date
            order by started_date desc, application_id desc
        ) as application_rank,
        count(*) over (partition by prospect_id, business_date) as application_count
    from applications
    where prospect_id is not null
),

described as (
    select
        ranked.prospect_id,
        ranked.business_date as as_of_date,
        ranked.application_id,
        ranked.name_masked,
        ranked.mobile_phone_masked,
        ranked.mobile_phone_token,
        ranked.branch_id,
        branches.branch_name,
        ranked.application_status,
        ranked.application_step,
        ranked.started_date,
        ranked.stalled_minutes,
        ranked.aml_result,
        ranked.customer_id,
        cast(ranked.application_count as int) as application_count,
        coalesce(phone_consents.consent_kind = 'marketing_granted', false) as has_marketing_consent,
        coalesce(phone_consents.consent_kind = 'do_not_call', false) as is_do_not_call,
        ranked.application_status = 'in_progress'
        and ranked.stalled_minutes > {{ var('broken_off_minutes') }} as is_broken_off
    from ranked
    left join branches
        on
            ranked.branch_id = branches.branch_id
            and ranked.business_date = branches.business_date
    left join phone_consents
        on
            ranked.mobile_phone_token = phone_consents.mobile_phone_token
            and ranked.business_date = phone_consents.business_date
    where ranked.application_rank = 1
),

-- whoever began it may be helped to end it: that is service, and needs no consent
final as (
    select
        *,
        is_broken_off and not is_do_not_call as is_call
    from described
)

-- the enforced contract names the columns
select * from final -- noqa: AM04
