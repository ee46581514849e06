{{ config(materialized='ephemeral') }}

with credit_risks as (
    select * from {{ ref('stg_gold__credit_risks') }}
),

option_risks as (
    select * from {{ ref('stg_gold__option_risks') }}
),

risks_of_both_counters as (
    select
        customer_id,
        business_date,
        maintenance_ratio,
        -- the tier comes from each account's own lines, so the lowest ratio need not be the worst tier
        case margin_tier
            when 'close_out' then 1
            when 'call' then 2
            when 'watch' then 3
            when 'normal' then 4
        end as margin_tier_order,
        cast(null as decimal(18, 6)) as risk_degree
    from credit_risks
    where {{ is_loaded_date('business_date') }}
    union all
    select
        customer_id,
        business_date,
        cast(null as decimal(18, 6)) as maintenance_ratio,
        cast(null as int) as margin_tier_order,
        risk_degree
    from option_risks
    where {{ is_loaded_date('business_date') }}
),

final as (
    select
        customer_id,
        business_date,
        min(maintenance_ratio) as minimum_maintenance_ratio,
        case min(margin_tier_order)
            when 1 then 'close_out'
            when 2 then 'call'
            when 3 then 'watch'
            when 4 then 'normal'
        end as margin_tier,
        max(risk_degree) as maximum_option_risk_degree
    from risks_of_both_counters
    where customer_id is not null
    group by customer_id, business_date
)

select * from final
