{{ config(materialized='ephemeral') }}

with freshness as (
    select * from {{ ref('stg_gold__freshness') }}
),

final as (
    select
        business_date,
        max(case when block = 'normal' then as_of_date end) as normal_as_of_date,
        max(case when block = 'credit' then as_of_date end) as credit_as_of_date,
        max(case when block = 'option' then as_of_date end) as option_as_of_date,
        max(case when block = 'fund' then as_of_date end) as fund_as_of_date,
        max(case when block = 'advice' then as_of_date end) as advice_as_of_date,
        max(case when block = 'fund_advice' then as_of_date end) as fund_advice_as_of_date,
        bool_or(is_stale) as is_stale,
        bool_or(as_of_date is null) as is_partial
    from freshness
    where {{ is_loaded_date('business_date') }}
    group by business_date
)

select * from final
