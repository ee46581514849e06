{{ config(materialized='ephemeral') }}

with staff_relations as (
    select * from {{ ref('stg_gold__staff_relations') }}
),

trading_days as (
    select * from {{ ref('int_trading_days_numbered') }}
),

-- two months of slices are read at most; the join below picks those the trade dates ask for
recent_relations as (
    select * from staff_relations
    where business_date >= date_sub({{ month_first_date() }}, 31)
),

final as (
    select
        recent_relations.business_line,
        recent_relations.account_id,
        trading_days.trading_date as business_date,
        recent_relations.employee_id,
        recent_relations.relation_kind,
        recent_relations.pay_ratio
    from trading_days
    inner join recent_relations on trading_days.relation_slice_date = recent_relations.business_date
    where
        trading_days.trading_date >= {{ month_first_date() }}
        -- a relation agreed for later is delivered early; it pays from its effective date on
        and recent_relations.effective_date <= recent_relations.business_date
)

select * from final
