{{ config(materialized='ephemeral') }}

with repurchase_contracts as (
    select * from {{ ref('stg_gold__repurchase_contracts') }}
),

final as (
    select
        customer_id,
        business_date,
        min(guarantee_ratio) as minimum_guarantee_ratio,
        -- the tier comes from each contract's own lines, so the lowest ratio need not be the worst tier
        case min(
            case guarantee_tier
                when 'disposal' then 1
                when 'warning' then 2
                when 'watch' then 3
                when 'normal' then 4
            end
        )
            when 1 then 'disposal'
            when 2 then 'warning'
            when 3 then 'watch'
            when 4 then 'normal'
        end as guarantee_tier,
        -- a contract whose day has passed is still open, and the first to be spoken of
        min(repurchase_date) as next_repurchase_date
    from repurchase_contracts
    where
        customer_id is not null
        and {{ is_loaded_date('business_date') }}
    group by customer_id, business_date
)

select * from final
